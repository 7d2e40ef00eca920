"""What takes a step: parameters and gradients go in, new parameters come out."""
