"""How good a judge is: agreement with people on labelled sets, and an audit of what leads it astray."""
