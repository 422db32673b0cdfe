"""Does every question have an answer, and does none name the user or the machine?"""

import getpass
import platform
from pathlib import Path

import pytest

from seqlab.calibration import questions
from seqlab.calibration.questions import QUESTIONS, Question, answers


def test_a_processor_answers_every_question() -> None:
    told = {question.asked: answer for question, answer in answers()}
    assert list(told) == [question.asked for question in QUESTIONS]
    assert not [answer for answer in told.values() if "Error" in answer or "\n" in answer]
    assert told["products"] in ("float32", "TF32 or less")
    private = {getpass.getuser(), platform.node(), str(Path.home()), str(Path.cwd())} - {""}
    assert not [word for word in private if len(word) > 3 and any(word in answer for answer in told.values())]


def test_a_question_that_fails_is_answered_by_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> str:
        raise RuntimeError("no\nkernel")

    monkeypatch.setattr(questions, "QUESTIONS", (Question("a", "why", ask),))
    assert [answer for _, answer in answers()] == ["RuntimeError: no kernel"]
