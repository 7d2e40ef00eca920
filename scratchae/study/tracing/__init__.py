"""How a trace is made: the code is run and recorded, and told step by step by the formulas that it declares."""
