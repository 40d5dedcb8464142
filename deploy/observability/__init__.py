"""What Prometheus and Grafana need to show Pointsman: alerts, dashboards, provisioning."""
