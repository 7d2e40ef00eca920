"""A person's objects: how they are made and copied, where their arrays lie, and how their mode is set."""
