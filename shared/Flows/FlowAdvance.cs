namespace RetentionFunctions.Flows;

/// <summary>Placeholder of the class to come in this change.</summary>
public sealed class FlowAdvance;
