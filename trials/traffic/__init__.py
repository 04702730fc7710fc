"""Windows of anonymous texts, benign or with attackers among them: the pairs, their vectors and marks, the protocol and what is told of it."""
