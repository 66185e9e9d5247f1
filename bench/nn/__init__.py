"""Binary networks: sign and its gradient, layers, the classes of plugins, compilation."""
