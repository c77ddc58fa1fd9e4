"""What the commands print: tables and bars, every figure of them a query."""
