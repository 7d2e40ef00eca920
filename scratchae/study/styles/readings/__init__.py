"""A value of several arrays with gradients in any writing, as one call; and what returned arrays are called and belong to."""
