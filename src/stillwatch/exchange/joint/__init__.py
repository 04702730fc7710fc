"""Joint evidence between members who show one another nothing: tokens blinded by all of them, counted by somebody who is none of them."""
