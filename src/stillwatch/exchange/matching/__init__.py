"""Private matching: two members learn what they have in common, first only how much, then, when both agree, which; and nothing of the rest."""
