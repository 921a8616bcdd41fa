using DurableTask.Core.Exceptions;
using Grpc.Core;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Moq;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Functions;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.FunctionsTests;

/// <summary>What the engine asks of Durable, and what it makes of the answers that were seen on a real host.</summary>
public sealed class DurableFlowEngineTests
{
    private static readonly RunId Id = new("cus_1", "dunning", "in_1");

    private readonly FakeTables _tables = new();
    private readonly Mock<DurableTaskClient> _client = new("test");
    private readonly List<string> _asked = [];
    private readonly DurableFlowEngine _engine;
    private IReadOnlyList<string>? _dedupe;

    public DurableFlowEngineTests()
    {
        var clients = new DurableClients();
        clients.Use(_client.Object);
        _engine = new DurableFlowEngine(clients, _tables);
        _client.Setup(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()))
            .Callback((TaskName name, object? input, StartOrchestrationOptions? options, CancellationToken _) =>
            {
                _asked.Add($"start {name.Name} {input} as {options!.InstanceId}");
                _dedupe = [.. options.DedupeStatuses!];
            })
            .ReturnsAsync("id");
        _client.Setup(c => c.RaiseEventAsync(It.IsAny<string>(), It.IsAny<string>(), It.IsAny<object?>(), It.IsAny<CancellationToken>()))
            .Callback((string instance, string name, object? _, CancellationToken _) => _asked.Add($"raise {name} to {instance}"))
            .Returns(Task.CompletedTask);
        _client.Setup(c => c.PurgeInstanceAsync(It.IsAny<string>(), It.IsAny<PurgeInstanceOptions?>(), It.IsAny<CancellationToken>()))
            .Callback((string instance, PurgeInstanceOptions? _, CancellationToken _) => _asked.Add($"purge {instance}"))
            .ReturnsAsync(new PurgeResult(1));
    }

    private Task RowAsync(RunStatus status) => _tables.UpsertAsync(Keys.Run(Id.CustomerId, Id.Flow, Id.Occasion),
        new Run { Id = Id, Definition = new FlowDefinition { Kind = MailKind.Transactional }, StartedAt = DateTimeOffset.UnixEpoch, Because = "a payment failed", Status = status });

    private void RaisingAnswers(StatusCode status) => _client.Setup(c => c.RaiseEventAsync(It.IsAny<string>(), It.IsAny<string>(), It.IsAny<object?>(), It.IsAny<CancellationToken>()))
        .ThrowsAsync(new RpcException(new Status(status, "said")));

    [Fact]
    public async Task A_run_is_started_under_its_own_id_and_replaces_no_instance_of_any_status()
    {
        await _engine.StartAsync(Id);
        Assert.Equal(["start Flow cus_1|dunning|in_1 as cus_1|dunning|in_1"], _asked);
        Assert.Equal(StartOrchestrationOptionsExtensions.ValidDedupeStatuses.Select(s => s.ToString()).Order(), _dedupe!.Order());
    }

    [Fact]
    public async Task A_run_that_somebody_else_started_is_started()
    {
        _client.Setup(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()))
            .ThrowsAsync(new OrchestrationAlreadyExistsException("there"));
        await _engine.StartAsync(Id);
    }

    [Theory]
    // A look that came before there was anything to tell ends the instance; the night after asks for the same review again.
    [InlineData(true, RunStatus.Ended, OrchestrationRuntimeStatus.Completed, true)]
    [InlineData(true, RunStatus.Ended, OrchestrationRuntimeStatus.Running, false)]
    [InlineData(false, RunStatus.Running, OrchestrationRuntimeStatus.Failed, true)]
    [InlineData(false, RunStatus.Running, OrchestrationRuntimeStatus.Pending, false)]
    [InlineData(false, RunStatus.Ended, OrchestrationRuntimeStatus.Completed, false)]
    public async Task A_run_whose_instance_ended_before_it_is_started_anew(bool review, RunStatus row, OrchestrationRuntimeStatus instance, bool anew)
    {
        var run = review ? FounderMail.RunOf("2026-02") : Id;
        if (!review) await RowAsync(row);
        _client.Setup(c => c.GetInstanceAsync(run.ToString(), It.IsAny<CancellationToken>())).ReturnsAsync(new OrchestrationMetadata(nameof(Flow), run.ToString()) { RuntimeStatus = instance });
        _client.Setup(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()))
            .Returns(() => _asked.Contains($"purge {run}") ? Task.FromResult(run.ToString()) : throw new OrchestrationAlreadyExistsException("there"));
        await _engine.StartAsync(run);
        Assert.Equal(anew ? [$"purge {run}"] : [], _asked);
        _client.Verify(c => c.ScheduleNewOrchestrationInstanceAsync(It.IsAny<TaskName>(), It.IsAny<object?>(), It.IsAny<StartOrchestrationOptions?>(), It.IsAny<CancellationToken>()), Times.Exactly(anew ? 2 : 1));
    }

    [Fact]
    public async Task A_known_run_is_woken_by_an_event()
    {
        await _engine.WakeAsync(Id);
        Assert.Equal(["raise WakeUp to cus_1|dunning|in_1"], _asked);
    }

    [Theory]
    [InlineData(StatusCode.NotFound, RunStatus.Running, new[] { "start Flow cus_1|dunning|in_1 as cus_1|dunning|in_1" })]
    [InlineData(StatusCode.FailedPrecondition, RunStatus.Running, new[] { "purge cus_1|dunning|in_1", "start Flow cus_1|dunning|in_1 as cus_1|dunning|in_1" })]
    [InlineData(StatusCode.NotFound, RunStatus.Ended, new string[0])]
    [InlineData(StatusCode.FailedPrecondition, RunStatus.Ended, new string[0])]
    public async Task A_run_that_the_engine_has_no_living_instance_of_is_started_where_its_row_is_open(StatusCode said, RunStatus row, string[] asked)
    {
        await RowAsync(row);
        RaisingAnswers(said);
        await _engine.WakeAsync(Id);
        Assert.Equal(asked, _asked);
    }

    [Fact]
    public async Task A_run_without_a_row_is_never_started()
    {
        RaisingAnswers(StatusCode.NotFound);
        await _engine.WakeAsync(Id);
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task An_engine_that_is_down_is_not_taken_for_one_that_forgot()
    {
        await RowAsync(RunStatus.Running);
        RaisingAnswers(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => _engine.WakeAsync(Id));
        Assert.Empty(_asked);
    }

    [Fact]
    public void An_id_too_long_for_the_engine_is_shortened_and_stays_its_own()
    {
        var one = DurableFlowEngine.InstanceOf(new RunId(new string('c', 200), "dunning", "in_1"));
        Assert.InRange(one.Length, 1, 100);
        Assert.NotEqual(one, DurableFlowEngine.InstanceOf(new RunId(new string('c', 200), "dunning", "in_2")));
    }
}
