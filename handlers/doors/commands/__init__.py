"""The words of Slack's slash command, a module for each subject; `table` lists them all. Votes belong on the card."""
