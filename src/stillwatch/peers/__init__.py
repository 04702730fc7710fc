"""Other members' servers, as one who asks them: signed requests, hearing what is new, adding what is shared."""
