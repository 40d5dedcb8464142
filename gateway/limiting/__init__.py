"""How much each key may: requests and tokens per minute, and requests at once. Counted here, or by one Redis for all gateways."""
