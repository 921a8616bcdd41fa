using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Links;

/// <summary>All processes of an installation sign with the same keys.</summary>
public class TablesKeyRingTests
{
    private readonly FakeTables _tables = new();

    [Fact]
    public void What_one_process_signs_every_other_can_read()
    {
        var first = Process().CreateProtector("links");
        var signed = first.Protect("hello");
        Assert.Equal("hello", Process().CreateProtector("links").Unprotect(signed));
    }

    [Fact]
    public void Of_two_processes_that_make_their_first_key_at_once_one_wins_and_both_use_it()
    {
        var one = new TablesKeyRing(_tables);
        var other = new TablesKeyRing(_tables);
        Assert.Empty(one.GetAllElements());
        Assert.Empty(other.GetAllElements());
        one.StoreElement(XElement.Parse("<key id='1'/>"), "key-1");
        other.StoreElement(XElement.Parse("<key id='2'/>"), "key-2");
        Assert.Equal("1", Assert.Single(other.GetAllElements()).Attribute("id")?.Value);

        // The next key of the process that lost is stored: it has read again.
        other.StoreElement(XElement.Parse("<key id='3'/>"), "key-3");
        Assert.Equal(["1", "3"], one.GetAllElements().Select(element => element.Attribute("id")?.Value));
    }

    [Fact]
    public void A_revocation_is_stored_whoever_was_first()
    {
        var one = new TablesKeyRing(_tables);
        var other = new TablesKeyRing(_tables);
        other.GetAllElements();
        one.StoreElement(XElement.Parse("<key id='1'/>"), "key-1");
        other.StoreElement(XElement.Parse("<revocation/>"), "revocation-1");
        Assert.Equal(["key", "revocation"], one.GetAllElements().Select(element => element.Name.LocalName));
    }

    [Fact]
    public async Task Two_processes_that_start_at_the_same_time_end_with_one_key()
    {
        var signed = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Process().CreateProtector("links").Protect("x"))));
        Assert.Single(await _tables.ListAsync<Dictionary<string, string>>(Keys.ProtectionKeys));
        Assert.All(signed, text => Assert.Equal("x", Process().CreateProtector("links").Unprotect(text)));
    }

    private IDataProtectionProvider Process()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddDataProtection().SetApplicationName("RetentionFunctions");
        services.Configure<KeyManagementOptions>(options => options.XmlRepository = new TablesKeyRing(_tables));
        return services.BuildServiceProvider().GetRequiredService<IDataProtectionProvider>();
    }
}
