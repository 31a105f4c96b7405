"""A rexdense Runner over a few images in memory."""

from rexdense.engine.runner import Runner


def runner_of_images(model, images, work_dir, **settings):
    """Return a runner of two epochs, with batches of 4 in the order of the images."""
    loader = dict(
        batch_size=4,
        dataset=images,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    settings.setdefault('train_cfg', dict(by_epoch=True, max_epochs=2))
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=loader,
        log_level='ERROR',
        **settings,
    )
