// The prompt in which the judge scored an answer.
import template from "../../python/latent_probes/queue/prompts/judge.md";

/** Render the judge's template for an answer from the text; inputs are shown as they are. */
export function judgePrompt(inputs: {
  verbalizer_prompt: string;
  atom_text: string;
  answer: string;
}): string {
  return template
    .replace(/\{% if [^%]*%\}\n[\s\S]*?\{% endif %\}\n/, "")
    .replace(/\{\{ (\w+) \}\}/g, (_, name: keyof typeof inputs) => inputs[name])
    .trimEnd();
}
