"""What a model is: equations as text, parameters, levels and sensitivities."""
