using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Settings;

/// <summary>What values must be: each by itself (<see cref="SettingRules"/>), and together.</summary>
internal static class SettingsChecks
{
    /// <summary>The rooms' own checks, each of its section. A room with a <c>Validate()</c> gets a line here.</summary>
    private static readonly Func<RetentionSettings, IEnumerable<(string Key, string Problem, string Example)>>[] Rooms =
    [
        settings => Customers(settings.Customers),
        settings => Flows(settings.Flows),
        settings => settings.AppEvents.Validate(),
        settings => settings.Health.Validate(settings.AppEvents),
        settings => settings.Insight.Validate(),
    ];

    /// <summary>Checks values that belong together.</summary>
    public static IEnumerable<SettingProblem> Together(RetentionSettings settings) =>
        Rooms.SelectMany(room => room(settings)).Select(found => new SettingProblem(found.Key, Sentence(found.Problem), found.Example));

    // Rooms write "is empty" or a whole sentence; the founder reads sentences.
    private static string Sentence(string problem) => (char.IsLower(problem[0]) ? $"It {problem}" : problem) + (problem.EndsWith('.') ? "" : ".");

    /// <summary>Checks each value by itself.</summary>
    public static IEnumerable<SettingProblem> Each(JsonObject tree) => Walk(SettingsJson.Shape(typeof(RetentionSettings)), tree, SettingPath.Root, null);

    private static IEnumerable<SettingProblem> Walk(JsonTypeInfo shape, JsonNode? node, SettingPath path, SettingRule? rule)
    {
        switch (node)
        {
            case JsonObject group when shape.Kind == JsonTypeInfoKind.Object:
                return shape.Properties.SelectMany(property => Walk(Inner(property.PropertyType), group[property.Name], path.Property(property), SettingRules.Of(shape.Type, SettingsJson.ClrName(property))));
            case JsonObject entries:
                return entries.SelectMany(entry => Walk(Inner(shape.ElementType!), entry.Value, path.Entry(entry.Key), rule));
            case JsonArray list:
                return list.SelectMany((item, index) => Walk(Inner(shape.ElementType!), item, path.Item(index.ToString(CultureInfo.InvariantCulture)), rule));
            case JsonValue value when rule is not null && Wrong(value, rule) is { } wrong:
                var example = rule.Secret ? SettingsOverlay.SecretExample(path, typeof(string), rule) : SettingText.Example(path, Default(path), rule);
                return [new(path.Key, $"{wrong}.", example)];
            default:
                return [];
        }
    }

    private static string? Wrong(JsonValue value, SettingRule rule)
    {
        if (rule.Min is not null || rule.Max is not null)
        {
            var number = double.Parse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture);
            if (number >= (rule.Min ?? double.MinValue) && number <= (rule.Max ?? double.MaxValue)) return null;
            var bounds = rule.Max is { } max ? $"from {Plain(rule.Min!.Value)} to {Plain(max)}" : $"at least {Plain(rule.Min!.Value)}";
            return $"{value.ToJsonString()} is out of range: it must be {bounds}, because {rule.Because}";
        }
        return rule.Wrong?.Invoke(value.GetValue<string>()) is { } wrong ? wrong.StartsWith('\'') ? wrong : $"It {wrong}" : null;
    }

    private static JsonTypeInfo Inner(Type type) => SettingsJson.Shape(Nullable.GetUnderlyingType(type) ?? type);

    private static JsonNode? Default(SettingPath path)
    {
        JsonNode? node = SettingsJson.Defaults();
        foreach (var name in path.InFile) node = name is not null && node is JsonObject group ? group[name] : null;
        return node;
    }

    private static string Plain(double number) => number.ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<(string Key, string Problem, string Example)> Customers(CustomerSettings customers)
    {
        if (customers.TierAShare + customers.TierBShare > 1 && customers is { TierAShare: <= 1, TierBShare: <= 1 })
        {
            yield return ("Customers:TierBShare", $"Tiers A ({Plain(customers.TierAShare)}) and B ({Plain(customers.TierBShare)}) together are more than all customers (1).",
                "\"customers\": { \"tierAShare\": 0.2, \"tierBShare\": 0.3 } in retention.json");
        }
        if (customers.Traits.Count > CustomerTraits.MostNames)
            yield return ("Customers:Traits", $"There are {customers.Traits.Count} traits; {CustomerTraits.MostNames} are the most.", "\"customers\": { \"traits\": [ \"channel\" ] } in retention.json");
        foreach (var twice in customers.Traits.GroupBy(trait => trait, StringComparer.Ordinal).Where(group => group.Count() > 1))
            yield return ("Customers:Traits", $"'{twice.Key}' is named twice.", "\"customers\": { \"traits\": [ \"channel\", \"industry\" ] } in retention.json");
        foreach (var currency in customers.TierAFrom.Keys.Where(key => key.Length != 3 || !key.All(char.IsAsciiLetterLower)))
        {
            yield return ($"Customers:TierAFrom:{currency}", $"'{currency}' is not a currency as Stripe writes it: three small letters.",
                "\"customers\": { \"tierAFrom\": { \"eur\": 9000 } } in retention.json (90.00 EUR, in minor units)");
        }
    }

    private static IEnumerable<(string Key, string Problem, string Example)> Flows(FlowSettings flows) =>
        flows.Definitions.SelectMany(flow => Flow(flow.Key, flow.Value));

    private static IEnumerable<(string Key, string Problem, string Example)> Flow(string name, FlowDefinition flow)
    {
        var key = $"Flows:Definitions:{name}";
        // The name is part of stored keys, of links and of the engine's instance ids.
        if (name.Length is 0 or > 40 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
            yield return (key, $"'{name}' cannot name a flow: small letters, digits and dashes, at most 40.", "win-back-yearly");

        if (flow.Trigger == FlowTrigger.Inactivity && flow.Kind != MailKind.Marketing)
        {
            yield return ($"{key}:Kind", "A flow that inactivity starts is marketing, by law: it needs the customer's leave and an unsubscribe link.",
                $"\"flows\": {{ \"definitions\": {{ \"{name}\": {{ \"kind\": \"marketing\" }} }} }} in retention.json");
        }

        const string fiveSteps = "\"steps\": [ { \"day\": 0, \"template\": \"win-back-1\" }, { \"day\": 3, \"template\": \"win-back-2\" } ]";
        if (flow is { Enabled: true, Steps.Count: 0 })
            yield return ($"{key}:Steps", "The flow is switched on and has no steps.", $"{fiveSteps}, or \"enabled\": false");
        for (var index = 0; index < flow.Steps.Count; index++)
        {
            var day = flow.Steps[index].Day;
            if (index == 0)
            {
                if (day != 0) yield return ($"{key}:Steps:0:Day", $"The first e-mail is on day 0, not {Plain(day)}: the days count from it.", fiveSteps);
                continue;
            }
            var before = flow.Steps[index - 1].Day;
            if (day <= before) yield return ($"{key}:Steps:{index}:Day", $"Day {Plain(day)} does not come after day {Plain(before)}: steps stand in their order.", fiveSteps);
            else if (day - before < 1) yield return ($"{key}:Steps:{index}:Day", $"Day {Plain(day)} is less than a day after day {Plain(before)}: two e-mails are never under 24 hours apart.", fiveSteps);
        }

        if (flow.Window.FromHour >= flow.Window.ToHour)
        {
            yield return ($"{key}:Window", $"The window opens at {flow.Window.FromHour} and closes at {flow.Window.ToHour}: no e-mail would ever go out.",
                "\"window\": { \"fromHour\": 9, \"toHour\": 17 }");
        }
    }
}
