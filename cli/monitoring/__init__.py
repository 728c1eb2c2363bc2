"""Alerts and dashboards, written as code: `python -m cli.monitoring` writes them for Prometheus and Grafana."""
