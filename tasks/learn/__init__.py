"""Tasks around the networks: their training data, training, evaluation, published weights."""
