"""What each target takes of a graph, from tables of facts."""
