"""The paper's protocol, what a region costs, and pictures of both."""
