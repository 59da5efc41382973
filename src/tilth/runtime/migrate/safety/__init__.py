"""What an operation would do to rows and to whoever uses them, looked at before it is done."""
