"""What a layer can be made of: an object with a forward and a backward, or two functions or methods that belong together."""
