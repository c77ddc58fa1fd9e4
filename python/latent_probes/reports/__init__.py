"""Reports that the commands print: tables and bars; every figure is a query."""
