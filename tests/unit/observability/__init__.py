"""What operators see it by: rules, dashboards, and what they are made of."""
