"""A conformance suite for anybody's normalization layer."""

from bnbench.conformance.finding import Finding as Finding
from bnbench.conformance.finding import Verdict as Verdict
from bnbench.conformance.suite import ReportCard as ReportCard
from bnbench.conformance.suite import check_norm as check_norm
