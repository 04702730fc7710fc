"""Evidence to campaigns: conditions and exculpations joined, false discoveries controlled, the case told."""
