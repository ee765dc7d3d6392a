"""The panel of the TumorTwin module, one file a part of it. Imported when the module is opened, not at start-up."""
