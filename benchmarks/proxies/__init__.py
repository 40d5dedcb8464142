"""What the router costs beside a plain call, LiteLLM's proxy and RouteLLM's server."""
