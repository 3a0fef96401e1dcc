"""What Consentgate knows: patients, consents, images, reviews, quarantine, disclosures, tasks and the audit trail."""
