"""What the whole product holds out: twice its capacity, an hour, two thousand slow streams; and what four replicas do."""
