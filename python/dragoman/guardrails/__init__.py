"""What is looked for in requests and answers, and what is done about it.

A guardrail looks at passages: texts, each with the place it stands in. What stands in requests is read from the
canonical form, and answers are read as canonical events, so a guardrail knows no dialect and covers all of them. The
one that hides personal data works on the bytes of a body before anything else reads them.
"""
