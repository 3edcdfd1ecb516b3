"""Weights that become zero, without retraining: by which criterion, and what makes up for them."""
