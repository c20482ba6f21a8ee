"""The engine: finds who is behind, applies what is pending, writes down every act."""
