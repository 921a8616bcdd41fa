using System.Globalization;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Web;

/// <summary>
/// The Data Protection key ring as rows of the tables, so that every process of an installation signs with the same keys. Numbered rows: element n
/// is written only where nobody wrote an n-th since this process last read, so that of two processes that each make a key on the first start only
/// one's is kept.
/// Use: <c>services.AddDataProtection().SetApplicationName("RetentionFunctions")</c> and this as <c>KeyManagementOptions.XmlRepository</c>.
/// </summary>
/// <param name="tables">Where the rows are.</param>
public sealed class TablesKeyRing(ITables tables) : IXmlRepository
{
    // How many elements the last reading saw: the number of the next.
    private volatile int _seen = -1;

    /// <inheritdoc/>
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        var elements = Wait(() => tables.ListAsync<Element>(Keys.ProtectionKeys));
        _seen = elements.Count;
        return [.. elements.Select(element => XElement.Parse(element.Xml))];
    }

    /// <inheritdoc/>
    public void StoreElement(XElement element, string friendlyName)
    {
        if (_seen < 0) GetAllElements();
        var row = new Element(friendlyName, element.ToString(SaveOptions.DisableFormatting));
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var key = Keys.ProtectionKey(_seen.ToString("D6", CultureInfo.InvariantCulture));
            if (Wait(() => tables.TryInsertAsync(key, row))) return;
            // Another process was first with a key: the framework reads again after this and takes that one. A revocation must not be lost.
            if (element.Name.LocalName == "key") return;
            GetAllElements();
        }
        throw new TransientStorageException($"The key ring was changed by others ten times in a row; '{friendlyName}' was not stored.");
    }

    // IXmlRepository is synchronous, and is called a few times in a process's life. On the pool, so that no caller's context is waited for.
    private static T Wait<T>(Func<Task<T>> task) => Task.Run(task).GetAwaiter().GetResult();

    private sealed record Element(string Name, string Xml);
}
