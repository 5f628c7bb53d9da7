"""The default frontend: torch.export -> our own lowerings -> Graph. Needs torch and nothing else."""
