"""Keys and limits over real sockets: gateways, a controller, and a Redis."""
