using System.Xml.Linq;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Security;

public class LicenseTests
{
    [Fact]
    public void Every_package_stands_in_the_list_of_licences_in_its_version()
    {
        var list = File.ReadAllText(Path.Combine(Repository.Root, "docs", "licenses.md"));
        var packages = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion").ToList();
        Assert.NotEmpty(packages);
        Assert.All(packages, package => Assert.Contains($"| {package.Attribute("Include")!.Value} | {package.Attribute("Version")!.Value.Trim('[', ']')} | ", list));
    }
}
