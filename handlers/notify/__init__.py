"""Cards, tickets, messages and plots: what people see."""
