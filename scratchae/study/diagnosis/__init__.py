"""The parts of a diagnosis: experiments, findings, and the rules; `study/diagnose.py` puts them together."""
