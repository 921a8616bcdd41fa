using System.Text;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Email;

/// <summary>All templates: those that come with the product, and the founder's own in their place or beside them.</summary>
public sealed class EmailTemplates
{
    private const string ResourceFolder = "Email/Templates/";

    // Compiling takes some tenths of a second, and these never change.
    private static readonly Lazy<Dictionary<string, EmailTemplate>> BuiltIn = new(ReadBuiltIn);

    private readonly Dictionary<string, EmailTemplate> _templates;

    private EmailTemplates(Dictionary<string, EmailTemplate> templates) => _templates = templates;

    /// <summary>The names of all templates, in order.</summary>
    public IReadOnlyList<string> Names => [.. _templates.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Reads all templates. Call it at the start: whatever is wrong with any of them stops it.</summary>
    /// <param name="overrides">
    /// The folder <c>templates/</c> beside <c>retention.json</c>; each <c>*.md</c> in it replaces the template of its name or adds one. Null, or a
    /// folder that does not exist: none.
    /// </param>
    /// <exception cref="EmailTemplateException">A template is wrong; the message names file, line and what is allowed.</exception>
    public static EmailTemplates Load(string? overrides = null)
    {
        var templates = new Dictionary<string, EmailTemplate>(BuiltIn.Value, StringComparer.Ordinal);
        if (overrides is not null && Directory.Exists(overrides))
            foreach (var file in Directory.EnumerateFiles(overrides, "*.md").Order(StringComparer.Ordinal))
            {
                var name = Path.GetFileNameWithoutExtension(file);
                templates[name] = EmailTemplate.Parse(name, file, File.ReadAllText(file));
            }
        return new EmailTemplates(templates);
    }

    /// <summary>Checks that every step of the flows names a template, and one of the flow's own kind. Call it at the start.</summary>
    /// <param name="flows">The flows by name, as <see cref="Settings.FlowSettings.Definitions"/> has them.</param>
    /// <exception cref="EmailTemplateException">Names the flow, the step, and the templates that there are.</exception>
    public void Check(IReadOnlyDictionary<string, FlowDefinition> flows)
    {
        foreach (var (name, flow) in flows)
            foreach (var (step, number) in flow.Steps.Select((step, i) => (step, i + 1)))
            {
                if (!_templates.TryGetValue(step.Template, out var template))
                    throw new EmailTemplateException($"flows.definitions.{name}, step {number}: there is no template '{step.Template}'; there are {string.Join(", ", Names)}. Add templates/{step.Template}.md beside retention.json, or name another.");
                if (Placeholders.IsForFounder(step.Template))
                    throw new EmailTemplateException($"flows.definitions.{name}, step {number}: the template '{step.Template}' is for your own e-mails, as all that begin with 'review-'; a flow needs another.");
                if (template.Kind != flow.Kind)
                    throw new EmailTemplateException($"flows.definitions.{name}, step {number}: the flow is {flow.Kind.ToString().ToLowerInvariant()}, its template '{step.Template}' is {template.Kind.ToString().ToLowerInvariant()}; both must be the same kind.");
            }
    }

    internal EmailTemplate Get(string name) =>
        _templates.TryGetValue(name, out var template) ? template : throw new EmailTemplateException($"There is no template '{name}'; there are {string.Join(", ", Names)}.");

    private static Dictionary<string, EmailTemplate> ReadBuiltIn()
    {
        var templates = new Dictionary<string, EmailTemplate>(StringComparer.Ordinal);
        var assembly = typeof(EmailTemplates).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(ResourceFolder, StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
            var name = Path.GetFileNameWithoutExtension(resource[ResourceFolder.Length..]);
            templates[name] = EmailTemplate.Parse(name, resource, reader.ReadToEnd());
        }
        return templates;
    }
}
