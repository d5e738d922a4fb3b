"""What exposure means for the patient: response, toxicity, cytokines."""
