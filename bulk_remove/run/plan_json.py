"""A plan as JSON, for machines: `bulk-remove plan --json`."""

from dataclasses import asdict

from bulk_remove.core.guards import Known
from bulk_remove.core.plan import CampaignPlan, Plan, Sample, SourcePlan
from bulk_remove.settings import Settings


def plan_as_json(plan: Plan, settings: Settings, known: Known) -> dict[str, object]:
    """Return what `plan --json` says; times in seconds, columns counted from 1, samples as the plan shows them."""
    return {
        "host": plan.host,
        "rehearsal": plan.rehearsal.value or None,
        "rows": plan.rows,
        "invalid": plan.invalid,
        "empty": plan.empty,
        "left_out": plan.left_out,
        "where": list(settings.where),
        "kept": plan.kept,
        "duplicates": plan.duplicates,
        "numbers": plan.numbers,
        "requests": plan.requests,
        "requests_per_second": plan.rate,
        "least_seconds": round(plan.least_duration_s, 3),
        "number_format": settings.number_format,
        "also_try": list(settings.also_try),
        "additional_numbers": plan.additional_numbers,
        "canary": plan.canary,
        "hours": list(settings.hours),
        "limits": asdict(plan.limits),
        "keep": [each._asdict() for each in plan.keep.lists],
        "campaigns": [_campaign(campaign, known) for campaign in plan.campaigns],
        "files": [_source(source) for source in plan.sources],
    }


def _campaign(plan: CampaignPlan, known: Known) -> dict[str, object]:
    return {
        "campaign": plan.campaign,
        "name": plan.name or None,
        "numbers": plan.numbers,
        "requests": plan.requests,
        "records": known.records.get(plan.campaign),
        "usual_numbers": known.usual(plan.campaign),
        "forms": plan.held,
        "form_confirmed": plan.confirmed,
    }


def _source(plan: SourcePlan) -> dict[str, object]:
    source = plan.source
    campaign = source.campaign_column
    return {
        "file": source.file,
        "sheet": source.sheet,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "header_row": source.header_row,
        "column": source.column + 1,
        "column_name": source.header[source.column],
        "column_reason": source.column_reason,
        "campaign_column": None if campaign is None else campaign + 1,
        "code_column": None if source.code_column is None else source.code_column + 1,
        "notes": [*source.notes, *plan.notes],
        "rows": plan.rows,
        "invalid": plan.invalid,
        "invalid_by_reason": dict(plan.damage),
        "empty": plan.empty,
        "left_out": plan.left_out,
        "kept": plan.kept,
        "read_as_numbers": dict(plan.kinds),
        "internal_numbers": plan.internal,
        "duplicates": plan.duplicates,
        "samples": [_sample(sample) for sample in plan.samples],
        "invalid_examples": [_sample(sample) for sample in plan.examples],
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {"row": sample.row, "cell": sample.cell, "became": sample.became}
