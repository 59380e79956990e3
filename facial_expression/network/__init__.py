"""What train, evaluate and export share about a network."""
