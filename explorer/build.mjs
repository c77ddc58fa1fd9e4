// Bundles the page into the Python package, where `latent-probes explore` and `export` find it.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const target = "../python/latent_probes/explorer/static";

rmSync(target, { recursive: true, force: true });
mkdirSync(target);
await build({
  entryPoints: ["src/explorer.tsx", "src/explorer.css"],
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  loader: { ".md": "text" },
  legalComments: "eof",
  logLevel: "warning",
});
copyFileSync("src/index.html", `${target}/index.html`);

// The libraries' licences ask for their notices in every copy.
const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const notices = Object.entries(dependencies).map(([name, version]) => {
  const licence = readFileSync(`node_modules/${name}/LICENSE`, "utf8");
  return `${name} ${version}\n\n${licence.trim()}\n`;
});
writeFileSync(`${target}/licences.txt`, notices.join("\n\n"));
