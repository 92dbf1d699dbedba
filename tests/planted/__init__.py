"""The gradient checker tested as a product: planted bugs it must name, correct subjects it must not accuse."""
