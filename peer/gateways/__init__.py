"""peer gateways."""
