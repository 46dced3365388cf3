"""Colours and shapes. The font is one that Gradio ships, so no font server is asked."""

from __future__ import annotations

import gradio as gr

theme = gr.themes.Base(
    primary_hue="teal",
    secondary_hue="teal",
    neutral_hue="stone",
    radius_size="lg",
    # Not the usual 400 and 600: the semi-bold file in Gradio 6.31 lacks most letters.
    font=(gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"),
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_900",
    # One step darker than the theme's own: small text needs 4.5:1 against the background.
    body_text_color_subdued="*neutral_500",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_padding="0px",
    block_shadow="none",
    block_title_text_color="*neutral_600",
    block_title_text_size="*text_sm",
    input_background_fill="white",
    input_background_fill_dark="*neutral_800",
    input_border_width="1px",
    input_radius="*radius_md",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
    button_primary_text_color="white",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_400",
    slider_color="*primary_600",
)
