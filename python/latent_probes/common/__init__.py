"""What every other package uses: paths, files, terminal output, SQL literals."""
